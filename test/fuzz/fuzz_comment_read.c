/*-------------------------------------------------------------------------
 * fuzz_comment_read.c
 *		at_comment_read() on any bytes: no access outside, and what it accepts
 *		is as long as it says.
 *-------------------------------------------------------------------------
 */
#include "core/comment.h"
#include "target.h"

static void check_accepted(const AtComment *comment);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static AtComment comment;
	AtText copy = copy_of(data, size);

	if (at_comment_read(&comment, copy.data, size))
		check_accepted(&comment);
	else
		expect(comment.npairs == 0);
	free((char *) copy.data);
	return 0;
}

/* Strings stand one behind the other, and the keys are not empty. */
static void
check_accepted(const AtComment *comment)
{
	const char *next = comment->text;

	expect(comment->npairs >= 1 && comment->npairs <= AT_COMMENT_PAIRS);
	for (int i = 0; i < comment->npairs; i++)
	{
		const AtCommentPair *pair = &comment->pair[i];

		expect(pair->key == next && pair->key[0] != '\0' &&
			   pair->value == pair->key + strlen(pair->key) + 1);
		next = pair->value + strlen(pair->value) + 1;
	}
	expect(next <= comment->text + sizeof(comment->text));
}
