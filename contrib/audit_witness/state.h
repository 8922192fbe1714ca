/*-------------------------------------------------------------------------
 * state.h
 *		What the witness has accepted: a directory with a file for each log.
 *
 * A file has the last checkpoint that was cosigned, as it came, and the name
 * of the SHA-256 of the log's origin. One process at a time has the
 * directory.
 *-------------------------------------------------------------------------
 */
#ifndef AT_STATE_H
#define AT_STATE_H

#include "judge.h"

/* Open the directory, which is made if need be, and learn what was accepted of each known log. */
extern int at_state_open(const char *path, AtKnown *known);

/* Have a checkpoint on disk, and only then known; false, and a message, if that fails. */
extern bool at_state_accept(int directory, const AtJudgement *judgement);

/* Keep a checkpoint that contradicts an accepted one, for people to look at. */
extern void at_state_keep_fork(int directory, const AtJudgement *judgement);

#endif
