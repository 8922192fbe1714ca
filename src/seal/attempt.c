/*-------------------------------------------------------------------------
 * attempt.c
 *		Trying something that may meet unreadable data.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "seal/attempt.h"

static bool attempt(void (*work)(void *arg), void *arg, bool may_wait_in_vain, char **message);

bool
at_attempt(void (*work)(void *arg), void *arg, char **message)
{
	return attempt(work, arg, false, message);
}

bool
at_attempt_locking(void (*work)(void *arg), void *arg, char **message)
{
	return attempt(work, arg, true, message);
}

/* Did the work wait for others in vain, or was it in their way? */
static bool
is_about_others(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		   ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

/* Is it a matter of this machine, this session, this moment? */
static bool
is_about_us(int sqlerrcode)
{
	int category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_INSUFFICIENT_RESOURCES || category == ERRCODE_OPERATOR_INTERVENTION;
}

static bool
attempt(void (*work)(void *arg), void *arg, bool may_wait_in_vain, char **message)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(arg);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);

		ErrorData *error = CopyErrorData();

		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (is_about_us(error->sqlerrcode) ||
			(!may_wait_in_vain && is_about_others(error->sqlerrcode)))
			ReThrowError(error);
		*message = error->message;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}
