/*-------------------------------------------------------------------------
 * secret.c
 *		The key of hashed and personal columns.
 *
 * A backend reads the file when it first needs the key. When the
 * configuration was loaded again, it looks whether another file is named, or
 * the file is another one or has changed, and only then reads it anew. A
 * file that is gone by then is an error: nothing is recorded with a key
 * that the administrator took away. Where no file is named, a command that prints the key
 * is run instead, once, and again when the configuration was loaded.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/child.h"
#include "base/guc.h"
#include "base/key_file.h"
#include "ledger/secret.h"
#include "ledger/datum.h"

StaticAssertDecl(AT_SECRET_LEN == AT_KEY_FILE_BYTES, "a key file must hold a key");

/* Right after an error: known is set when all else is. */
static struct
{
	bool known;
	uint64 version; /* of the configuration that it was checked against */
	char path[MAXPGPATH];
	AtKeyFileStamp stamp;
	AtSecret secret;
} state;

/* What the command may take and print. */
static bool go_on(void);
static const AtChildLimits command_limits = {
	.timeout_ms = 30000, .output_max = 1024, .call_off = go_on};

static void check_configured(void);
static void load(void);
static void run_command(void);

const AtSecret *
at_secret_get(void)
{
	if (state.known && state.version == at_guc_hash_key_version)
		return &state.secret;

	check_configured();
	if (!state.known || at_guc_hash_key_file[0] == '\0' ||
		strcmp(state.path, at_guc_hash_key_file) != 0 ||
		!at_key_file_unchanged(state.path, &state.stamp))
		load();
	state.version = at_guc_hash_key_version;
	return &state.secret;
}

static void
check_configured(void)
{
	if (at_guc_hash_key_file[0] == '\0' && at_guc_hash_key_command[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no key for hashed and personal columns"),
						errdetail("audit_trail.hash_key_file names no file, and "
								  "audit_trail.hash_key_command no command."),
						errhint("As the server's user, outside of the data directory: "
								"(umask 077; openssl rand -hex 32 > FILE). Name the file in the "
								"configuration file, and reload that.")));
}

static void
load(void)
{
	uint8 id[AT_SECRET_ID_LEN];

	state.known = false;
	explicit_bzero(&state.secret, sizeof(state.secret));
	if (at_guc_hash_key_file[0] != '\0')
		at_key_file_read(at_guc_hash_key_file, state.secret.key, &state.stamp);
	else
		run_command();
	if (!at_secret_id(state.secret.key, id))
		at_hash_failed();
	state.secret.id[hex_encode((const char *) id, sizeof(id), state.secret.id)] = '\0';
	strlcpy(state.path, at_guc_hash_key_file, sizeof(state.path));
	state.known = true;
}

/* Nobody calls it off but by an interrupt. */
static bool
go_on(void)
{
	return false;
}

/* Nothing of what it printed is told. */
static void
run_command(void)
{
	AtChildOutcome outcome;
	char *detail = "It did not print 64 hexadecimal digits.";
	bool good;

	at_child_run(at_guc_hash_key_command, &command_limits, &outcome);
	good = at_child_succeeded(&outcome, &command_limits, &detail) &&
		   at_key_file_decode(outcome.output, outcome.len, state.secret.key);
	if (outcome.output != NULL)
		explicit_bzero(outcome.output, outcome.len);
	if (!good)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("audit_trail.hash_key_command gave no key"), errdetail("%s", detail),
						errhint("What it wrote to its standard error is in the server's log.")));
}
