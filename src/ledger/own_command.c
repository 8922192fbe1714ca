/*-------------------------------------------------------------------------
 * own_command.c
 *		Commands of our own on what the guard protects.
 *
 * Invariant: a command is announced from the call that runs it until the
 * guard has seen it begin, and never beyond the call, whatever error ends it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "ledger/own_command.h"

static struct
{
	const char *announced; /* NULL: none */
} own;

void
at_own_command(const char *command)
{
	own.announced = command;
	PG_TRY();
	{
		if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "unexpected result of: %s", command);
	}
	PG_FINALLY();
	{
		own.announced = NULL;
	}
	PG_END_TRY();
}

bool
at_own_command_begins(const char *query)
{
	bool begins = own.announced != NULL && strcmp(own.announced, query) == 0;

	if (begins)
		own.announced = NULL;
	return begins;
}
