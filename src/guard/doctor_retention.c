/*-------------------------------------------------------------------------
 * doctor_retention.c
 *		Checks of audit.doctor() that are about retention.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/guc.h"
#include "base/shmem.h"
#include "guard/doctor.h"

/* A failing step is what the last row of its name says. */
void
at_doctor_keeper(const AtDoctor *doctor, const char *name)
{
	static const char last_runs[] =
		"SELECT r.step, r.error, r.ended_at FROM (SELECT DISTINCT ON (k.step) k.step, k.error, "
		"k.ended_at FROM audit.keeper_run AS k ORDER BY k.step, k.run_id DESC) AS r "
		"WHERE r.error IS NOT NULL ORDER BY r.step";
	uint64 failing = at_doctor_query(last_runs);
	AtWorkerStatus status;

	for (uint64 i = 0; i < failing; i++)
		at_doctor_report(doctor, name, PROBLEM,
						 "Mend what the message names, then: SELECT audit.keeper_now();",
						 "Step \"%s\" failed at %s: %s", at_doctor_field(i, 1),
						 at_doctor_field(i, 3), at_doctor_field(i, 2));
	if (failing > 0)
		return;
	if (at_worker_status(AT_WORKER_KEEPER, &status) && status.failures > 0)
		at_doctor_worker(doctor, name, AT_WORKER_KEEPER);
	else if (at_guc_keeper_interval == 0)
		at_doctor_report(doctor, name, WARN, AT_DOCTOR_SET("audit_trail.keeper_interval"),
						 "The keeper runs only when it is asked to.");
	else if (!at_shmem_ready())
		at_doctor_report(doctor, name, PROBLEM, "See the check library.",
						 "The keeper does not run.");
	else
		at_doctor_report(doctor, name, OK, NULL, "No step of the keeper fails.");
}

/* What the law says may not stay, and whether somebody has to decide. */
void
at_doctor_retention(const AtDoctor *doctor, const char *name)
{
	static const char query[] =
		"SELECT (SELECT pg_catalog.count(*) FROM audit.read_retention()), "
		"(SELECT pg_catalog.count(*) FROM audit.read_requests() AS r WHERE r.state = 'open'), "
		"(SELECT pg_catalog.count(*) FROM audit.deletion AS d WHERE d.phase = 'ordered' "
		"AND NOT EXISTS (SELECT FROM audit.deletion AS x WHERE x.deletion_id = d.deletion_id "
		"AND x.phase <> 'ordered')), coalesce((SELECT pg_catalog.sum(p.events) "
		"FROM audit.retention_plan() AS p WHERE p.action = 'purge'), 0)";
	char *expired;
	bool any;

	(void) at_doctor_query(query);
	expired = at_doctor_field(0, 4);
	any = strcmp(expired, "0") != 0;
	if (strcmp(at_doctor_field(0, 3), "0") != 0)
		at_doctor_report(doctor, name, WARN,
						 "SELECT audit.keeper_now(); -- what it did is in audit.keeper_run",
						 "%s deletions are ordered and not carried out.", at_doctor_field(0, 3));
	else if (any)
		at_doctor_report(doctor, name, WARN,
						 "SELECT audit.request_purge('why'); -- then another person approves it",
						 "%s events have expired, and are kept; %s requests are open.", expired,
						 at_doctor_field(0, 2));
	else
		at_doctor_report(doctor, name, OK, NULL,
						 "%s policies are in force; nothing has expired. %s requests are open.",
						 at_doctor_field(0, 1), at_doctor_field(0, 2));
}

/* Holds that end soon, and none of the same extent goes on: somebody has to decide. */
void
at_doctor_holds(const AtDoctor *doctor, const char *name)
{
	uint64 ending = at_doctor_query(
		"SELECT h.name, h.until, pg_catalog.format('SELECT audit.hold(%L, %L, contexts => %L, "
		"tables => %L, records => %L, actors => %L, since => %L, before => %L);', "
		"h.name || ' goes on', h.reason, h.contexts, h.tables, h.records, h.actors, h.since, "
		"h.before) FROM audit.read_holds() AS h, "
		"(SELECT pg_catalog.now() + interval '30 days') AS s(soon) "
		"WHERE h.until < s.soon AND NOT EXISTS (SELECT FROM audit.read_holds() AS o "
		"WHERE o.until >= s.soon AND (o.contexts, o.tables, o.records, o.actors, o.since, "
		"o.before) IS NOT DISTINCT FROM (h.contexts, h.tables, h.records, h.actors, h.since, "
		"h.before)) ORDER BY h.until, h.name");

	for (uint64 i = 0; i < ending; i++)
		at_doctor_report(doctor, name, WARN,
						 psprintf("If it has to go on: %s", at_doctor_field(i, 3)),
						 "Hold \"%s\" ends at %s.", at_doctor_field(i, 1), at_doctor_field(i, 2));
	if (ending > 0)
		return;
	(void) at_doctor_query("SELECT pg_catalog.count(*) FROM audit.read_holds()");
	at_doctor_report(doctor, name, OK, NULL, "%s legal holds are in force.", at_doctor_field(0, 1));
}
