/*-------------------------------------------------------------------------
 * explain.c
 *		What a finding of the verification most likely comes from, and what
 *		to do about it.
 *
 * Ordinary SQL cannot bring about any of this: the tables refuse it. So a
 * cause is always somebody who went around the server or lifted the guard,
 * or a storage that failed; what was found tells which is the likelier.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "seal/explain.h"

#define LAST_FAULT AT_FAULT_FOREIGN

static const char *const causes[][LAST_FAULT + 1] = {
	[AT_THING_EVENT] =
		{
			[AT_FAULT_CHANGED] =
				"What was recorded was altered after it was sealed, in the files or as superuser "
				"around the guard; or the storage has damaged it.",
			[AT_FAULT_MISSING] =
				"Somebody removed it after the fact, in the files or as superuser around the "
				"guard; or a page of the table was lost.",
			[AT_FAULT_ADDED] =
				"Somebody wrote it around the server: it was never part of a recorded transaction.",
			[AT_FAULT_REORDERED] = "Rows were exchanged, so that each tells what another one did.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_TRANSACTION] =
		{
			[AT_FAULT_CHANGED] =
				"Who, when or why, or one of its events, was altered after the fact, in the files "
				"or as superuser around the guard.",
			[AT_FAULT_MISSING] =
				"Somebody removed it after the fact, in the files or as superuser around the "
				"guard; or a page of the table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server, to make it seem recorded.",
			[AT_FAULT_REORDERED] = "Rows were exchanged, so that each has the author of another.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_BATCH] =
		{
			[AT_FAULT_CHANGED] =
				"Somebody altered an entry of the log itself, perhaps to cover up a change of what "
				"it seals.",
			[AT_FAULT_MISSING] =
				"The entry was taken out, or the end of the log was cut off, by somebody or "
				"together with pages that were lost.",
			[AT_FAULT_ADDED] = "Somebody wrote rows into the log around the server.",
			[AT_FAULT_REORDERED] = "Entries of the log were exchanged.",
			[AT_FAULT_DUPLICATED] = "Somebody copied an entry, or an old copy of a page came back.",
		},
	[AT_THING_TILE] =
		{
			[AT_FAULT_CHANGED] =
				"The stored hashes were altered, perhaps along with an event that they are of; or "
				"the storage has damaged them.",
			[AT_FAULT_MISSING] = "Somebody removed stored hashes, or a page of the table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote hashes around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_LOG_TILE] =
		{
			[AT_FAULT_CHANGED] =
				"Stored hashes of the log's tree were altered, so that clients of the exported log "
				"see another one; or the storage has damaged them.",
			[AT_FAULT_MISSING] =
				"Somebody removed stored hashes of the log's tree, or a page of the table was "
				"lost.",
			[AT_FAULT_ADDED] = "Somebody wrote hashes around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_CHECKPOINT] =
		{
			[AT_FAULT_CHANGED] =
				"Somebody altered a stored head of the log, so that it fits another history; or "
				"the storage has damaged it.",
			[AT_FAULT_MISSING] = "Somebody removed a stored head of the log, or a page was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote a head of the log around the server.",
			[AT_FAULT_REORDERED] = "Stored heads of the log were exchanged.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
			[AT_FAULT_FORGED] =
				"The checkpoint that was given was altered, or made up by somebody who has not the "
				"key.",
			[AT_FAULT_FOREIGN] =
				"The checkpoint is of another log; or this log was made anew, with another key, to "
				"take the place of the one that the checkpoint is of.",
		},
	[AT_THING_SESSION] =
		{
			[AT_FAULT_CHANGED] =
				"Where the session came from, or who had logged in, was altered after the fact.",
			[AT_FAULT_MISSING] = "Somebody removed it to hide where changes came from.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
		},
	[AT_THING_TARGET] =
		{
			[AT_FAULT_CHANGED] =
				"Somebody gave a table another name in the record, so that its events seem to be "
				"of another table.",
			[AT_FAULT_MISSING] = "Somebody removed the names of a table that was audited.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_INCARNATION] =
		{
			[AT_FAULT_CHANGED] = "Somebody altered where the ledger says that it was written.",
			[AT_FAULT_MISSING] = "Somebody removed it to hide that the ledger was copied.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_SEGMENT] =
		{
			[AT_FAULT_CHANGED] =
				"What was archived, or what is said of it, was altered in the files or as "
				"superuser around the guard; or the storage has damaged it.",
			[AT_FAULT_MISSING] = "Somebody removed it, or a page of the table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
			[AT_FAULT_REORDERED] = "Rows were exchanged, so that some are not found.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_RECEIPT] =
		{
			[AT_FAULT_CHANGED] =
				"Somebody altered what others have said of the log, or what it was "
				"said of; or the storage has damaged it.",
			[AT_FAULT_MISSING] = "Somebody removed it, so that a log that was rewritten is not "
								 "compared with it; or a page of the table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_DELETION] =
		{
			[AT_FAULT_CHANGED] = "Somebody forged or altered what was purged on whose authority; "
								 "it excuses no event that is missing.",
			[AT_FAULT_MISSING] = "Somebody removed on whose authority events were purged, or a "
								 "page of the table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_ALERT] =
		{
			[AT_FAULT_CHANGED] = "Somebody altered what an alert was about, or how severe it was; "
								 "or the storage has damaged it.",
			[AT_FAULT_MISSING] =
				"Somebody removed an alert, so that nobody sees to it, or a page of the table was "
				"lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server: no rule has raised it.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_ALERT_ACTION] =
		{
			[AT_FAULT_CHANGED] =
				"Somebody altered who saw to an alert, or what the alert was about; "
				"or the storage has damaged it.",
			[AT_FAULT_MISSING] =
				"Somebody removed that an alert was acknowledged, or a page of the "
				"table was lost.",
			[AT_FAULT_ADDED] = "Somebody wrote it around the server, so that an alert seems to be "
							   "seen to.",
			[AT_FAULT_DUPLICATED] = "Somebody copied a row, or an old copy of a page came back.",
		},
	[AT_THING_LOG] =
		{
			[AT_FAULT_SHORTENED] =
				"The database was set back to an older backup or snapshot, or the end of the log "
				"was cut off: what happened after that is lost here.",
			[AT_FAULT_REWRITTEN] =
				"History was made anew, with all hashes and perhaps with the stolen key; or an "
				"older backup was restored and went on from there.",
			[AT_FAULT_FORKED] =
				"The key has signed two histories: somebody shows different ones to different "
				"people, or two copies of the database went on with the same key.",
		},
};

/* By what was damaged: the remedy depends on it more than on how. */
static const char *const advice[] = {
	[AT_THING_EVENT] = "Keep the files as they are, as evidence. Read the event from the newest "
					   "backup or export that verifies, and compare; its transaction tells who "
					   "recorded it.",
	[AT_THING_TRANSACTION] = "Keep the files as they are, as evidence. Read the transaction from "
							 "the newest backup or export that verifies, and compare.",
	[AT_THING_BATCH] = "Keep the files as they are, as evidence. Verify again with a checkpoint "
					   "that was held outside: audit.verify(checkpoint => ...). Compare with the "
					   "newest backup or export that verifies.",
	[AT_THING_TILE] = "Keep the files as they are, as evidence. Events are not affected where "
					  "none is named; proofs of those in this batch cannot be made until the tile "
					  "is restored.",
	[AT_THING_LOG_TILE] = "Keep the files as they are, as evidence. The entries of the log are "
						  "not affected where none is named; proofs that use the tile cannot be "
						  "made until it is restored.",
	[AT_THING_CHECKPOINT] = "Keep the files as they are, as evidence. Verify again with a "
							"checkpoint that was held outside: audit.verify(checkpoint => ...).",
	[AT_THING_SESSION] = "Keep the files as they are, as evidence. The transaction still has the "
						 "database user; read the session from the newest backup that verifies.",
	[AT_THING_TARGET] = "Keep the files as they are, as evidence. Read the name from the newest "
						"backup that verifies.",
	[AT_THING_INCARNATION] = "Keep the files as they are, as evidence. Ask who restored or copied "
							 "the database; the entries of the log say where it was written.",
	[AT_THING_SEGMENT] =
		"Keep the files as they are, as evidence. The hashes of its events are in the "
		"log all the same: get the segment back from a backup, or the events from "
		"an exported archive, and prove them.",
	[AT_THING_DELETION] = "Keep the files as they are, as evidence. Compare with the certificates "
						  "that were exported, and with the records of the log.",
	[AT_THING_ALERT] =
		"Keep the files as they are, as evidence. The event that the alert was about is not "
		"affected where it is not named. Read the alert from the newest backup, and compare its "
		"hash with that in the event that names it: SELECT * FROM audit.events WHERE event_type = "
		"'alert.sealed'.",
	[AT_THING_ALERT_ACTION] =
		"Keep the files as they are, as evidence. Who saw to which alert stands in the event of "
		"that "
		"name, which is sealed: SELECT * FROM audit.events WHERE action = 'respond'.",
	[AT_THING_RECEIPT] = "Keep the files as they are, as evidence. The log itself is not affected "
						 "where it is not named. Ask who gave the receipt for what they hold: that "
						 "counts.",
	[AT_THING_LOG] = "Take the server off the net and keep its files as evidence. Find the backup "
					 "whose log has this checkpoint as its beginning; a restore that is lawful is "
					 "declared in the log: SELECT * FROM audit.log_entry WHERE kind IN "
					 "('declared', 'incarnation').",
};

/* Those of a checkpoint that was given. */
static const char given_advice[] =
	"Compare the checkpoint with the copy of it that others hold, and the key with the one that "
	"was told to you when the log began; see audit.public_keys.";

const char *
at_explain_cause(const AtFinding *finding)
{
	return finding->cause ? finding->cause : causes[finding->thing][finding->fault];
}

const char *
at_explain_advice(const AtFinding *finding)
{
	if (finding->fault == AT_FAULT_FORGED || finding->fault == AT_FAULT_FOREIGN)
		return given_advice;
	return advice[finding->thing];
}
