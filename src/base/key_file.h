/*-------------------------------------------------------------------------
 * key_file.h
 *		A file with a secret key of 32 bytes.
 *
 * It holds 64 hexadecimal digits, and at most white space behind them. It
 * must be a regular file that the server's user owns and nobody else may
 * read or write, and lie outside of the data directory, so that no backup
 * and no function that reads the server's files takes it along.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEY_FILE_H
#define AT_KEY_FILE_H

#include <sys/types.h>

#define AT_KEY_FILE_BYTES 32

/* Which file it was, and in which state. */
typedef struct AtKeyFileStamp
{
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
} AtKeyFileStamp;

/*
 * Read the key; the path is absolute. Raises ERRCODE_CONFIG_FILE_ERROR, or
 * the code of the system's error, with the path and the cause and without
 * anything of the content. Nothing of that is left in memory but the key.
 */
extern void at_key_file_read(const char *path, uint8 *key, AtKeyFileStamp *stamp);

/* Is the file still the one of the stamp, unchanged? False if it cannot be looked at. */
extern bool at_key_file_unchanged(const char *path, const AtKeyFileStamp *stamp);

#endif
