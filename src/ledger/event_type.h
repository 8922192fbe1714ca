/*-------------------------------------------------------------------------
 * event_type.h
 *		Types of events: a cache over audit.event_type.
 *
 * Of each type the row with the highest version counts. The newest rows count,
 * whatever the transaction's snapshot is, and reading needs no privilege.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVENT_TYPE_H
#define AT_EVENT_TYPE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* Longest name of a type, in bytes. */
#define AT_EVENT_TYPE_LENGTH 100

/* The configuration table and its columns (sql/install/45_catalogue.sql). */
#define AT_EVENT_TYPE_TABLE "event_type"
#define AT_EVENT_TYPE_INDEX "event_type_pkey"

#define Anum_event_type_event_type     1
#define Anum_event_type_version        2
#define Anum_event_type_context        3
#define Anum_event_type_category       4
#define Anum_event_type_severity       5
#define Anum_event_type_description    6
#define Anum_event_type_sentence       7
#define Anum_event_type_payload_schema 8
#define Anum_event_type_masked         9
#define Anum_event_type_changed_at     10
#define Anum_event_type_deprecated_at  11
#define Anum_event_type_replaced_by    12
#define Anum_event_type_seeded         13
#define Anum_event_type_resource_type  14
#define Anum_event_type_reserved       15

/* A type; belongs to the cache until the end of the transaction. */
typedef struct AtEventType
{
	char name[AT_EVENT_TYPE_LENGTH + 1]; /* key */
	bool known;                          /* false: there is no such type, and nothing below */
	bool warned;                         /* this session was told that it is deprecated */

	int32 version;
	char *context;
	char *category;
	char *severity;
	char *sentence;
	List *masked;  /* of C strings */
	bool reserved; /* the server records it, and nobody can tell it */
	bool deprecated;
	char *replaced_by; /* NULL: by none */
	char *resource_type;
} AtEventType;

/* The type of this name; NULL if there is none. Needs no ledger. */
extern AtEventType *at_event_type_find(const char *name, int len);

/* Is this what some type's events happen to? Reads the whole catalogue. */
extern bool at_event_type_is_resource(const char *resource_type);

/* Register the invalidation callback. */
extern void at_event_type_init(void);

#endif
