/*-------------------------------------------------------------------------
 * caught.c
 *		Run what must not break the command that it runs in.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "alert/caught.h"

static bool
ends_command(int code)
{
	int category = ERRCODE_TO_CATEGORY(code);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR);
}

bool
at_caught(void (*work)(void *arg), void *arg)
{
	MemoryContext memory = CurrentMemoryContext;
	volatile bool done = false;

	PG_TRY();
	{
		work(arg);
		done = true;
	}
	PG_CATCH();
	{
		if (ends_command(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(memory);
		FlushErrorState();
	}
	PG_END_TRY();
	return done;
}
