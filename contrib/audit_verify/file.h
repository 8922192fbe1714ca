/*-------------------------------------------------------------------------
 * file.h
 *		Files, read whole.
 *
 * at_fatal() if one is there and cannot be read.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FILE_H
#define AT_FILE_H

#include "core/text.h"

/* Largest file that is read whole: a proof of the largest event that the server proves. */
#define AT_FILE_MAX ((size_t) 1 << 30)

/* The file's bytes, which the caller frees. */
extern AtText at_file_read(const char *path);

/*
 * The same of a file in a directory. False if it is not there. Of one that is
 * larger than max there are max + 1 bytes.
 */
extern bool at_file_read_in(const char *directory, const char *path, size_t max, AtText *text);

#endif
