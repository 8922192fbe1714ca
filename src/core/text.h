/*-------------------------------------------------------------------------
 * text.h
 *		Pieces of text: read strictly, written within bounds.
 *
 * An AtText belongs to the caller and need not end in a zero byte. An
 * AtWriter fills a buffer of the caller's: what does not fit is not written,
 * nor is anything after it, and full says so. So a format is written
 * without a look at each step, and at_writer_error() tells how it went.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TEXT_H
#define AT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/error.h"

typedef struct AtText
{
	const char *data;
	size_t len;
} AtText;

typedef struct AtWriter
{
	char *data;
	size_t max;
	size_t len; /* bytes written; there is no zero byte behind them */
	bool full;
} AtWriter;

/* Longest decimal of 64 bits. */
#define AT_DECIMAL_MAX 20

static inline AtText
at_text(const char *string)
{
	return (AtText){string, strlen(string)};
}

extern bool at_text_equal(AtText one, AtText other);

/* Negative, zero or positive, as the bytes of one come before, are, or come after the other's. */
extern int at_text_compare(AtText one, AtText other);

/* If text begins with this, cut that off and return true. */
extern bool at_text_skip(AtText *text, const char *start);

/* Cut off the first line, without its newline; false if no newline is left. */
extern bool at_text_line(AtText *text, AtText *line);

/* Cut off what stands before the next such character, and the character; false if there is none. */
extern bool at_text_until(AtText *text, char end, AtText *before);

/* The number that the whole text is: ASCII digits without leading zeros, below 2^64. */
extern bool at_text_decimal(AtText text, uint64_t *number);

/*
 * Cut off one character of UTF-8 and return its code point; -1 if the text
 * is empty, or does not begin with a well-formed one (RFC 3629: shortest
 * form, no surrogates, at most U+10FFFF).
 */
extern int32_t at_text_character(AtText *text);

/* Has this code point the Unicode property White_Space? */
extern bool at_is_space(int32_t code_point);

extern AtWriter at_writer(char *buffer, size_t size);
extern void at_write(AtWriter *writer, AtText text);
extern void at_write_string(AtWriter *writer, const char *string);
extern void at_write_decimal(AtWriter *writer, uint64_t number);

/* AT_OK, or AT_ERR_NO_ROOM. */
extern AtError at_writer_error(const AtWriter *writer);

#endif
