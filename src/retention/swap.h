/*-------------------------------------------------------------------------
 * swap.h
 *		Putting foreign tables that read stores in the place of partitions.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SWAP_H
#define AT_SWAP_H

#include "ledger/scan.h"
#include "ledger/settled.h"
#include "retention/due.h"

typedef struct AtSwapPart
{
	Oid relid;          /* of the partition */
	List *transactions; /* partitions, oids, with the rows of who wrote into it; locked; is freed */
	int32 store_id;
	int64 rows;
	int64 segments;
} AtSwapPart;

typedef struct AtSwap
{
	const AtMonth *month;
	AtSettled settled; /* when the rows were read */
	int nparts;
	AtSwapPart part[2];
} AtSwap;

/*
 * Do it, as the extension's owner, by SPI, to which the caller is connected.
 * Errors as for at_archive_month().
 */
extern void at_swap(AtSwap *swap);

#endif
