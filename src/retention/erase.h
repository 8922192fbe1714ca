/*-------------------------------------------------------------------------
 * erase.h
 *		Erasing a person: their key is destroyed, and nothing else changes.
 *
 * One person asks, another approves, and no hold may touch an event of the
 * person. The approval seals a record of kind "erase" that names the keys; after that
 * the keeper destroys them and seals a record of kind "erased". A crash in between
 * leaves an order, which the next run carries out.
 *
 * Each run looks whether a key that was destroyed is there again, as after the restore of an old
 * copy of the directory, and destroys it anew.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ERASE_H
#define AT_ERASE_H

/* Register the kind of request and the keeper's step. */
extern void at_erase_init(void);

#endif
