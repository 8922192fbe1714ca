/*-------------------------------------------------------------------------
 * key_file.h
 *		A file with a secret: a key of 32 bytes in hexadecimal digits, or text.
 *
 * It must be a regular file that the server's user owns and nobody else may
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

/* What messages say of a kind of key. */
typedef struct AtKeyFileKind
{
	const char *need;   /* what it is for; a detail */
	const char *remedy; /* how to make one; a hint */
} AtKeyFileKind;

/*
 * Read the key: 64 hexadecimal digits, and at most white space behind them.
 * The path is absolute. Raises ERRCODE_CONFIG_FILE_ERROR, or the code of the
 * system's error, with the path and the cause and without anything of the
 * content. Nothing of that is left in memory but the key.
 */
extern void at_key_file_read(const char *path, uint8 *key, AtKeyFileStamp *stamp);

/* The key from such a text; false if it is none. */
extern bool at_key_file_decode(const char *text, int len, uint8 *key);

/*
 * Read the file as it is, up to so many bytes, and return how many; it may be
 * longer if that is all of them. Errors as above. The caller overwrites what
 * it was given.
 */
extern int at_key_file_read_text(const char *path, const AtKeyFileKind *kind, char *text, int size,
								 AtKeyFileStamp *stamp);

/*
 * Make a file with this text, which nobody but the server's user can read, and
 * have it on disk. The path is absolute. Raises an error if there is such a
 * file already, or the place is within the data directory.
 */
extern void at_key_file_create(const char *path, const char *text, int len);

/* Is the path, links followed, within the data directory? It must lead somewhere; errno if not. */
extern bool at_path_is_in_data(const char *path, bool *inside);

/* Have the entries of a file's directory, of a directory on disk; false, and errno, if that failed.
 */
extern bool at_sync_directory_of(const char *path);
extern bool at_sync_directory(const char *directory);

/* Is the file still the one of the stamp, unchanged? False if it cannot be looked at. */
extern bool at_key_file_unchanged(const char *path, const AtKeyFileStamp *stamp);

#endif
