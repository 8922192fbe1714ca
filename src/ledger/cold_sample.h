/*-------------------------------------------------------------------------
 * cold_sample.h
 *		ANALYZE of archived partitions.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_SAMPLE_H
#define AT_COLD_SAMPLE_H

#include "foreign/fdwapi.h"

/* AnalyzeForeignTable of the foreign-data wrapper. */
extern bool at_cold_analyze(Relation rel, AcquireSampleRowsFunc *sample, BlockNumber *pages);

#endif
