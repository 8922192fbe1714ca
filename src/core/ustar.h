/*-------------------------------------------------------------------------
 * ustar.h
 *		Archives: POSIX ustar, and of each list of files one archive only.
 *
 * Of each file there are name, size and content. All else is the same
 * always: mode 0644, no owner, no time. Names are at most AT_USTAR_NAME_MAX
 * bytes long and stand in no prefix; there are no directories and no links.
 * The archive ends with two empty blocks and nothing behind them.
 *
 * Reading is strict: what is accepted is, byte for byte, what would be
 * written.
 *-------------------------------------------------------------------------
 */
#ifndef AT_USTAR_H
#define AT_USTAR_H

#include "core/text.h"

#define AT_USTAR_BLOCK    512
#define AT_USTAR_END      (2 * AT_USTAR_BLOCK)
#define AT_USTAR_NAME_MAX 100

/* Largest file: eleven octal digits. */
#define AT_USTAR_SIZE_MAX UINT64_C(077777777777)

/* What a file of this size takes in an archive. */
#define AT_USTAR_LEN(size)                                                                         \
	(AT_USTAR_BLOCK + ((size) + AT_USTAR_BLOCK - 1) / AT_USTAR_BLOCK * AT_USTAR_BLOCK)

/* The block before a file's content. AT_ERR_USTAR if name or size are out of bounds. */
extern AtError at_ustar_header(uint8_t block[AT_USTAR_BLOCK], AtText name, uint64_t size);

/* Write a whole file, up to the block that it ends in; and the end of the archive. */
extern AtError at_ustar_add(AtWriter *writer, AtText name, AtText content);
extern AtError at_ustar_end(AtWriter *writer);

/*
 * Cut off the next file. At the end name->data is NULL. Both point into the
 * archive. Names are not looked at, but for their length.
 */
extern AtError at_ustar_next(AtText *archive, AtText *name, AtText *content);

#endif
