/*-------------------------------------------------------------------------
 * deferred.h
 *		Index access method audit_deferred: a btree that the sealer fills.
 *
 * Time, actor, session and request stand in one row a transaction, and an index
 * entry for each of them would cost a short transaction more than to write its event. So
 * whoever records a transaction leaves them out, and the sealer, which reads
 * every transaction once, adds them with the seal (deferred_fill.h). A scan takes
 * what is not sealed yet besides, in its order, so what a query finds does
 * not depend on how far the sealer has come.
 *
 * Of the events of a transaction that goes for the first AT_DEFERRED_ROWS: entries cost a
 * short transaction most of all, while those of a long one would be too many for the
 * sealer, and for every scan that comes before it. The others have theirs at once. To the first
 *ones the row of the transaction leads until then (place.h).
 *
 * For tables with a tx_id, which is what tells whether a row is sealed.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFERRED_H
#define AT_DEFERRED_H

#include "access/relscan.h"
#include "utils/relcache.h"

/* Is it an index of this access method? */
extern bool at_is_deferred(Relation index);

/* Have a scan that has just begun give what the sealer has come to alone, as a btree would. */
extern void at_deferred_scan_filled(IndexScanDesc desc);

#endif
