/*-------------------------------------------------------------------------
 * verify_destruction.h
 *		Verifies a certificate of destruction: what audit.export_deletion() gives.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_DESTRUCTION_H
#define AT_VERIFY_DESTRUCTION_H

#include "kept.h"

/* What such a certificate begins with. */
#define AT_DESTRUCTION_START "audit_trail-destruction@"

extern void at_verify_destruction(AtResult *result, AtText text, const AtUserTrust *trust,
								  const AtKept *kept);

#endif
