/*-------------------------------------------------------------------------
 * report.c
 *		Saying once in the server's log what keeps failing in every pass.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "seal/report.h"

void
at_report(AtReport *report, const char *what, const char *cause)
{
	if (strncmp(report->cause, cause, sizeof(report->cause) - 1) == 0)
		return;
	strlcpy(report->cause, cause, sizeof(report->cause));
	ereport(LOG,
			(errmsg("%s", what), errdetail("%s", cause), errhint("SELECT * FROM audit.doctor();")));
}

void
at_report_done(AtReport *report)
{
	report->cause[0] = '\0';
}
