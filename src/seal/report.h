/*-------------------------------------------------------------------------
 * report.h
 *		Saying once in the server's log what keeps failing in every pass.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPORT_H
#define AT_REPORT_H

/* What was said last; all zero at first. */
typedef struct AtReport
{
	char cause[256];
} AtReport;

/* Log what does not work and why, with a hint to the doctor, unless that was said last. */
extern void at_report(AtReport *report, const char *what, const char *cause);

/* It works: the next failure is said again. */
extern void at_report_done(AtReport *report);

#endif
