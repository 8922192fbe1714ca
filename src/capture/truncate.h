/*-------------------------------------------------------------------------
 * truncate.h
 *		TRUNCATE: each row that a relation loses is an event, and that it was
 *		emptied is another one.
 *
 * A row's event has op 'T', its key and its old values; it is written, and
 * tells of them, as the event of a delete would. The event of the relation
 * comes after those of all rows that the command took; it has neither key nor
 * values, and says in extra how many "rows" the relation and those below it
 * lost. With the policy's truncate => 'count' it is the only one, which it
 * says as "only_counted".
 *-------------------------------------------------------------------------
 */
#ifndef AT_TRUNCATE_H
#define AT_TRUNCATE_H

/* Register the callbacks. */
extern void at_truncate_init(void);

#endif
