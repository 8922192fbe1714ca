/*-------------------------------------------------------------------------
 * fuzz_comment_read.c
 *		at_comment_read() on any bytes: no access outside, and what it accepts
 *		is as long as it says.
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/comment.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const AtComment *comment);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static AtComment comment;
	char *copy = malloc(size);

	if (copy == NULL && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	if (at_comment_read(&comment, copy, size))
		check_accepted(&comment);
	else if (comment.npairs != 0)
		abort();
	free(copy);
	return 0;
}

/* Strings stand one behind the other, and the keys are not empty. */
static void
check_accepted(const AtComment *comment)
{
	const char *next = comment->text;

	if (comment->npairs < 1 || comment->npairs > AT_COMMENT_PAIRS)
		abort();
	for (int i = 0; i < comment->npairs; i++)
	{
		const AtCommentPair *pair = &comment->pair[i];

		if (pair->key != next || pair->key[0] == '\0' ||
			pair->value != pair->key + strlen(pair->key) + 1)
			abort();
		next = pair->value + strlen(pair->value) + 1;
	}
	if (next > comment->text + sizeof(comment->text))
		abort();
}
