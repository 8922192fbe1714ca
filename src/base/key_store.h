/*-------------------------------------------------------------------------
 * key_store.h
 *		A directory of keys outside of the database: one small file a key, and a
 *		mark in the place of a key that was destroyed.
 *
 *	DIRECTORY/LOG/ab/NAME				the key, as whoever puts it has wrapped it
 *	DIRECTORY/LOG/ab/NAME.destroyed		it was destroyed
 *
 * LOG is the id of the log, NAME that of the key, both in hexadecimal digits, and ab
 * NAME's first two. The directory is audit_trail.subject_key_directory: made by the
 * administrator, outside of the data directory, the server's user's own and nobody
 * else's. A directory that is not there is an error, and no store without keys.
 *
 * A key is put as a whole or not at all, whatever crashes; what was put is on disk. A mark
 * counts more than a key beside it, so a crash while a key is destroyed leaves none.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEY_STORE_H
#define AT_KEY_STORE_H

typedef enum AtKeyState
{
	AT_KEY_NONE,
	AT_KEY_FOUND,
	AT_KEY_DESTROYED
} AtKeyState;

/* Is a directory configured? */
extern bool at_key_store_configured(void);

/* Raise an error if the directory cannot be used. */
extern void at_key_store_check(void);

/*
 * Get a key of len bytes; name is in hexadecimal digits. Raises an error if the store cannot be
 * read, or the file holds another number of bytes.
 */
extern AtKeyState at_key_store_get(const char *name, uint8 *key, int len);

/* Put a key. False if there is one already: get that. */
extern bool at_key_store_put(const char *name, const uint8 *key, int len);

/*
 * Destroy a key, if it is there, and leave the mark. Its bytes are overwritten before the file
 * is removed. May be done again.
 */
extern void at_key_store_destroy(const char *name);

#endif
