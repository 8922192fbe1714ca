/*-------------------------------------------------------------------------
 * file.h
 *		Files, read whole.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FILE_H
#define AT_FILE_H

#include "core/text.h"

/* Largest file that is read whole: a proof of the largest event that the server proves. */
#define AT_FILE_MAX ((size_t) 1 << 30)

/* The file's bytes, which the caller frees; at_fatal() if it cannot be read. */
extern AtText at_file_read(const char *path);

#endif
