/*-------------------------------------------------------------------------
 * file.h
 *		Files that have to be there after a crash.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FILE_H
#define AT_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Read a file that has less than max bytes, and end it with a zero byte; false, and errno, if not.
 */
extern bool at_file_read(const char *path, char *buffer, size_t max);

/*
 * Replace a file by these bytes, so that after a crash it has either the old
 * ones or the new; on disk when this returns true. Else false, and errno.
 */
extern bool at_file_replace(const char *directory, const char *name, const char *bytes);

/* Append a line to a file and have it on disk; the file is opened anew each time. */
extern bool at_file_append(const char *path, const char *line);

/* Make the directory if it is not there; false, and errno, if that cannot be. */
extern bool at_file_make_directory(const char *path);

/* Hold a file for this process alone, to its end; false if another one has it. */
extern bool at_file_hold(const char *path);

#endif
