/*-------------------------------------------------------------------------
 * progress.h
 *		How far verifications have come: what audit.verify_progress shows.
 *
 * As that of other commands, progress stands in the process's own entry of
 * the server's statistics, and is cleared with the transaction. The leader
 * tells what its parallel workers have done, too.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PROGRESS_H
#define AT_PROGRESS_H

typedef enum AtPhase
{
	AT_PHASE_LOG,
	AT_PHASE_BATCHES,
	AT_PHASE_NAMES,
	AT_PHASE_TAIL,
	AT_PHASE_HEAP
} AtPhase;

/* Begin, or begin anew after an error; `mode` is one of at_scope_mode(). */
extern void at_progress_begin(const char *mode);

extern void at_progress_end(void);

extern void at_progress_phase(AtPhase phase);

/* How much there is to do. */
extern void at_progress_plan(uint64 batches, uint64 events);
extern void at_progress_workers(int workers);

/* What is done so far. */
extern void at_progress_entries(uint64 entries);
extern void at_progress_done(uint64 batches, uint64 events);
extern void at_progress_findings(uint64 findings);

#endif
