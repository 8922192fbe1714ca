/*-------------------------------------------------------------------------
 * doctor.h
 *		audit.doctor(): what its checks share, and those of other files.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DOCTOR_H
#define AT_DOCTOR_H

#include "nodes/execnodes.h"

#include "base/worker.h"

typedef enum AtHealth
{
	OK,
	WARN,
	PROBLEM
} AtHealth;

typedef struct AtDoctor
{
	ReturnSetInfo *result;
	MemoryContext context; /* survives a failed check */
	const char *why;       /* the check that runs matters */
} AtDoctor;

/* A setting that only the configuration file can set. */
#define AT_DOCTOR_SET(what) "Set " what " in the configuration file, then: SELECT pg_reload_conf();"

/* What mends it is a statement and then this. */
#define AT_DOCTOR_RESTART "-- then restart the server"

/*
 * Report a row: what was found, and what mends it. `remedy` is NULL where there is nothing to do.
 * If it begins with a word of SQL, all of it can be executed as it stands. Where a person has to
 * decide or do something first it is a sentence, which may end with a statement.
 */
extern void at_doctor_report(const AtDoctor *doctor, const char *name, AtHealth health,
							 const char *remedy, const char *format, ...) pg_attribute_printf(5, 6);

/* Run a query; its rows are read with at_doctor_field(), as text, until the next. */
extern uint64 at_doctor_query(const char *sql);
extern char *at_doctor_field(uint64 row, int column);

/* Checks of the library and its workers (doctor_server.c). */
extern void at_doctor_library(const AtDoctor *doctor, const char *name);
extern void at_doctor_unseen_time(const AtDoctor *doctor, const char *name);
extern void at_doctor_launcher(const AtDoctor *doctor, const char *name);
extern void at_doctor_sealer(const AtDoctor *doctor, const char *name);
extern void at_doctor_notifier(const AtDoctor *doctor, const char *name);
extern void at_doctor_collector(const AtDoctor *doctor, const char *name);
extern void at_doctor_worker_slots(const AtDoctor *doctor, const char *name);

/* Report how this database's worker of a kind is doing. */
extern void at_doctor_worker(const AtDoctor *doctor, const char *name, AtWorkerKind kind);

/* Checks of what the trail says of itself, and of what is around it (doctor_state.c). */
extern void at_doctor_verification(const AtDoctor *doctor, const char *name);
extern void at_doctor_volume(const AtDoctor *doctor, const char *name);
extern void at_doctor_losses(const AtDoctor *doctor, const char *name);
extern void at_doctor_clock(const AtDoctor *doctor, const char *name);
extern void at_doctor_disk(const AtDoctor *doctor, const char *name);
extern void at_doctor_replication_role(const AtDoctor *doctor, const char *name);
extern void at_doctor_settings(const AtDoctor *doctor, const char *name);
extern void at_doctor_unaudited(const AtDoctor *doctor, const char *name);

/* Checks of the log (doctor_seal.c). */
extern void at_doctor_signing_key(const AtDoctor *doctor, const char *name);
extern void at_doctor_checkpoints(const AtDoctor *doctor, const char *name);
extern void at_doctor_anchor(const AtDoctor *doctor, const char *name);
extern void at_doctor_sealing(const AtDoctor *doctor, const char *name);

/* Checks of retention (doctor_retention.c). */
extern void at_doctor_keeper(const AtDoctor *doctor, const char *name);
extern void at_doctor_retention(const AtDoctor *doctor, const char *name);
extern void at_doctor_holds(const AtDoctor *doctor, const char *name);

/* Those of alerts and their delivery (doctor_alert.c). */
extern void at_doctor_alerts(const AtDoctor *doctor, const char *name);
extern void at_doctor_notification_queue(const AtDoctor *doctor, const char *name);

/* That of the cold archive (doctor_archive.c). */
extern void at_doctor_archive(const AtDoctor *doctor, const char *name);

/* The collector of a standby: do its records reach the primary server? False: nothing to tell. */
extern bool at_doctor_standby(const AtDoctor *doctor, const char *name);

#endif
