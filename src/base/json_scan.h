/*-------------------------------------------------------------------------
 * json_scan.h
 *		Tokens of a json value, without the refusals of jsonb.
 *
 * The text of type json may hold what jsonb and the server's own JSON
 * functions refuse, such as \u0000 and lone surrogates. These functions
 * take every text, raise nothing because of it, and run in linear time.
 *-------------------------------------------------------------------------
 */
#ifndef AT_JSON_SCAN_H
#define AT_JSON_SCAN_H

#include "lib/stringinfo.h"

/* The text and the token that at_json_next() found last. */
typedef struct AtJsonScan
{
	const char *pos; /* where to go on */
	const char *end;
	/*
	 * One of {}[],: for itself, '"' string, '0' number, 't' true, 'f' false,
	 * 'n' null, '?' what is none of these; '\0' at the end of the text
	 */
	char kind;
	const char *start; /* of the token; of a string, behind its quote */
	int len;           /* of the token; of a string, without quotes */
	bool escaped;      /* the string has escapes */
} AtJsonScan;

/* A piece of text that belongs to somebody else. */
typedef struct AtJsonSlice
{
	const char *data;
	int len;
} AtJsonSlice;

extern void at_json_start(AtJsonScan *scan, const char *text, int len);

/* Find the next token; false at the end. */
extern bool at_json_next(AtJsonScan *scan);

/*
 * The value that begins with the current token, to its end, as it is
 * written; the scan then stands on its last token.
 */
extern AtJsonSlice at_json_value(AtJsonScan *scan);

/*
 * The current string, with its escapes resolved. What has no counterpart in
 * this database stays as it is written: \u0000, lone surrogates, characters
 * that the encoding does not have. Points into the text or to palloc'ed
 * memory.
 */
extern AtJsonSlice at_json_string(const AtJsonScan *scan);

/* Is the piece this text? */
extern bool at_json_slice_is(AtJsonSlice slice, const char *text);

/*
 * The value of a member of an object as it is written, of several with this name the last; data is
 * NULL if there is none, or the text is no object.
 */
extern AtJsonSlice at_json_member(AtJsonSlice object, AtJsonSlice name);

/* Append a string with quotes and escapes. */
extern void at_json_quote(const char *data, int len, StringInfo out);

#endif
