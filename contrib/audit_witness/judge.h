/*-------------------------------------------------------------------------
 * judge.h
 *		What a witness answers: C2SP tlog-witness's add-checkpoint.
 *
 * A witness cosigns a checkpoint of a log that it knows if that goes on from
 * the last one that it has cosigned, and else nothing. So whoever asks for
 * its cosignature sees one history of the log, and never a shorter one.
 *
 * Nothing here has a side effect: who asks must have what was accepted on
 * disk before it is cosigned.
 *-------------------------------------------------------------------------
 */
#ifndef AT_JUDGE_H
#define AT_JUDGE_H

#include "core/checkpoint.h"
#include "http.h"

/* Room for a checkpoint with all the signatures that it may have. */
#define AT_NOTE_MAX AT_HTTP_BODY_MAX

#define AT_LOGS_MAX 64
#define AT_KEYS_MAX 256

/* A log, by its origin, and the last checkpoint of it that was accepted. */
typedef struct AtKnownLog
{
	const char *origin; /* the name of one of its keys */
	uint64_t size;      /* 0: none */
	AtHash root;
} AtKnownLog;

typedef struct AtKnown
{
	int key_count;
	AtPublicKey key[AT_KEYS_MAX];
	int log_count;
	AtKnownLog log[AT_LOGS_MAX];
} AtKnown;

typedef struct AtJudgement
{
	int status;         /* AT_HTTP_OK: cosign it */
	const char *reason; /* of a refusal, in plain words */
	bool is_fork;       /* two histories, both signed by the log: that is for people to look at */

	/* with status AT_HTTP_OK and AT_HTTP_CONFLICT */
	AtKnownLog *log;

	/* with AT_HTTP_OK, or is_fork */
	AtText note;             /* the checkpoint as it came */
	AtText text;             /* what of it is signed */
	AtCheckpoint checkpoint; /* points into note */
} AtJudgement;

/* Make a key and its log known. False if there is no room, or the key is for something else. */
extern bool at_know(AtKnown *known, const AtPublicKey *key);

/* Judge the body of a request. */
extern void at_judge(AtKnown *known, AtText body, AtJudgement *judgement);

#endif
