/*-------------------------------------------------------------------------
 * file.h
 *		Files: read whole, written whole.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FILE_H
#define AT_FILE_H

#include "core/text.h"

/* Read a file that has less than max bytes; false, and errno, if that cannot be. */
extern bool at_read_file(const char *path, char *buffer, size_t max, size_t *len);

/* Write all of it; false, and errno, if that cannot be. */
extern bool at_write_all(int fd, AtText text);

/*
 * Replace a file of a directory by this text, so that after a crash it has
 * either the old text or the new; it is on disk when this returns true.
 */
extern bool at_replace_file(int directory, const char *name, AtText text);

#endif
