/*-------------------------------------------------------------------------
 * table_reads.h
 *		Reading a table that is watched is an event.
 *
 * audit.enable(..., reads => true) or read_columns => '{...}': op S, one event
 * a command of the client and table, with the columns, the number of rows and what the
 * application says; by every way that leads through the executor, and COPY.
 * It goes through the ring, so neither a rollback nor a read-only transaction matters.
 *
 * With audit_trail.read_durability = sync no row reaches the client before the
 * record is on disk: what a query sends is held back until it has ended. So there is
 * one event each time that rows are sent. A command that sends none, but may put them where they
 * can be read, waits when it ends, and before a commit. What cannot be recorded in time is refused
 * (unrecorded.h).
 *
 * The columns are those that the statement needs the right to read: of a view, all
 * that it is made of. A change reads what its WHERE, its expressions and
 * RETURNING need. Checks of foreign keys are no reads, and nor is what this library reads itself.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TABLE_READS_H
#define AT_TABLE_READS_H

/* Install the hooks. */
extern void at_table_reads_init(void);

#endif
