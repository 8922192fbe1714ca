/*-------------------------------------------------------------------------
 * rename.h
 *		Alert rules follow columns that get another name.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RENAME_H
#define AT_RENAME_H

/* Register the hook (ledger/hooks.h). */
extern void at_rename_init(void);

#endif
