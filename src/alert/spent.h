/*-------------------------------------------------------------------------
 * spent.h
 *		Matches and judgements that nobody needs any more leave.
 *
 * So that audit.alert_match has no more rows than the rules' windows have events,
 * and audit.alert_judgement two.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SPENT_H
#define AT_SPENT_H

#include "datatype/timestamp.h"

#include "ledger/settled.h"

/*
 * Let those go that no judgement can need after this one, which is appended and saw what had
 * settled until then. Needs SPI, in the transaction of the pass.
 */
extern void at_spent_let_go(const AtSettled *until, TimestampTz now);

#endif
