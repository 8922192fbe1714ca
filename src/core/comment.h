/*-------------------------------------------------------------------------
 * comment.h
 *		Hints in a comment at the end of an SQL statement, in the form of
 *		sqlcommenter, between the marks of a block comment:
 *
 *			actor='alice',route='%2Forders'
 *
 * Keys and values are URL-encoded; a quote within a value is \'. Spaces may
 * stand around keys, values and commas, and white space and semicolons
 * behind the comment.
 *
 * It is all or nothing: a comment that is not in this form from end to end,
 * is longer than AT_COMMENT_MAX, has more than AT_COMMENT_PAIRS pairs, or
 * has a zero byte in it is an ordinary comment. Decoded values are any other
 * bytes: whether they are text is for the caller to find out.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMMENT_H
#define AT_COMMENT_H

#include <stdbool.h>
#include <stddef.h>

#define AT_COMMENT_MAX   4096
#define AT_COMMENT_PAIRS 32

typedef struct AtCommentPair
{
	const char *key; /* into text */
	const char *value;
} AtCommentPair;

typedef struct AtComment
{
	int npairs;
	AtCommentPair pair[AT_COMMENT_PAIRS];
	char text[AT_COMMENT_MAX + 1]; /* decoded strings, each with its zero byte */
} AtComment;

/* Read the hints of a statement of len bytes; false, and no pairs, if it has none. */
extern bool at_comment_read(AtComment *comment, const char *sql, size_t len);

#endif
