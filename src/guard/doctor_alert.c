/*-------------------------------------------------------------------------
 * doctor_alert.c
 *		audit.doctor(): are alerts delivered, and does anybody see to them?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "base/guc.h"
#include "guard/doctor.h"

static bool check_given_up(const AtDoctor *doctor, const char *name);
static bool check_unanswered(const AtDoctor *doctor, const char *name);

void
at_doctor_alerts(const AtDoctor *doctor, const char *name)
{
	bool good = check_given_up(doctor, name);

	if (check_unanswered(doctor, name) && good)
		at_doctor_report(doctor, name, OK, NULL,
						 "No delivery was given up, and somebody has seen to each alert in time.");
}

/* Of each channel and sink; what nobody acknowledges is told below. */
static bool
check_given_up(const AtDoctor *doctor, const char *name)
{
	uint64 channels = at_doctor_query("SELECT d.channel, count(*), pg_catalog.min(d.failed_at), "
									  "(pg_catalog.array_agg(d.detail ORDER BY d.failed_at "
									  "DESC))[1] FROM audit.dead_letters AS d "
									  "WHERE d.outcome <> 'unanswered' GROUP BY 1 ORDER BY 1");

	for (uint64 i = 0; i < channels; i++)
		at_doctor_report(
			doctor, name, PROBLEM,
			"SELECT audit.resend_alert(alert_id) FROM audit.dead_letters WHERE outcome "
			"<> 'unanswered'; -- when it takes alerts again",
			"%s alerts for %s were given up, the first at %s; the last because: %s.",
			at_doctor_field(i, 2), at_doctor_field(i, 1), at_doctor_field(i, 3),
			at_doctor_field(i, 4));
	return channels == 0;
}

/* Others than those of its rule have been told of it by then, if there are any. */
static bool
check_unanswered(const AtDoctor *doctor, const char *name)
{
	char *sql = psprintf(
		"SELECT count(*), pg_catalog.min(a.raised_at) FROM audit.alert AS a "
		"WHERE a.severity IN ('high', 'critical') AND a.raised_at < pg_catalog.now() - "
		"pg_catalog.make_interval(secs => %d) AND NOT EXISTS (SELECT FROM audit.alert_action AS k "
		"WHERE k.alert_id = a.alert_id AND k.kind = 'acknowledged')",
		at_guc_alert_escalate_after);

	(void) at_doctor_query(sql);
	if (strcmp(at_doctor_field(0, 1), "0") == 0)
		return true;
	at_doctor_report(
		doctor, name, PROBLEM,
		"See to them: SELECT audit.acknowledge(alert_id, 'what was done') FROM "
		"audit.open_alerts WHERE severity IN ('high', 'critical');",
		"%s alerts of severity high or critical are older than "
		"audit_trail.alert_escalate_after, and nobody has acknowledged them; the first "
		"is of %s.",
		at_doctor_field(0, 1), at_doctor_field(0, 2));
	return false;
}
