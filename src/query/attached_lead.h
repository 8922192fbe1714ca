/*-------------------------------------------------------------------------
 * attached_lead.h
 *		Which segments of an attached archive can have what is asked for, as audit.attached_segment
 *		tells, and what its tables are called.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTACHED_LEAD_H
#define AT_ATTACHED_LEAD_H

#include "datatype/timestamp.h"

#include "core/body.h"

/* What is asked for: of strings NULL is any. */
typedef struct AtAttachedAsked
{
	TimestampTz since;
	TimestampTz until;
	char *resource_id;
	char *actor;
	char *request_id;
	char *table_name;
	bool has_tx_id;
	int64 tx_id;
} AtAttachedAsked;

/* A segment, as audit.attached_segment tells. */
typedef struct AtAttachedRef
{
	int32 number;
	char kind;
	bool is_wanted;
	char *file;
	int64 offset;
	int64 bytes;
	int32 ends_in;
	int64 first_tx_id;
	int64 last_tx_id;
	AtHash checksum;
} AtAttachedRef;

/* A version of a table there. */
typedef struct AtAttachedTarget
{
	int32 target_id;
	int64 defined_at; /* microseconds since 1970 */
	char *schema;
	char *table;
	char *resource_type;
	char *context;
} AtAttachedTarget;

/* Segments of the time and transaction that are asked for, by number, and all tables. */
typedef struct AtAttachedLead
{
	uint64 nrefs;
	AtAttachedRef *ref;
	uint64 ntargets;
	AtAttachedTarget *target; /* ascending by target_id */
} AtAttachedLead;

/* Read it, in the current context. */
extern AtAttachedLead *at_attached_lead_read(const char *archive, const AtAttachedAsked *asked);

/* Is an event asked for, by what it says itself? Who acted is for the caller to look at. */
extern bool at_attached_wants(const AtAttachedAsked *asked, const AtEventBody *event);

/* A version of a table; NULL if it is not known. */
extern const AtAttachedTarget *at_attached_target(const AtAttachedLead *lead, int32 target_id);

/*
 * The context of an event of an archive, by the names of its table: that of the version that was
 * the last one then, or else the first. NULL: it is not known.
 */
extern const char *at_attached_context(const AtAttachedLead *lead, const AtEventBody *event);

#endif
