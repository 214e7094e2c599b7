/*
 * tests/hostinfo: what a hostile member says of itself, from a seed: the unit test of the engine, the tests of the built hub and those
 * with official clients send the same documents.
 */
#ifndef WARREN_TESTS_HOSTINFO_HOSTINFO_H
#define WARREN_TESTS_HOSTINFO_HOSTINFO_H

#include "base/buf/buf.h"
#include "base/rng/rng.h"

/*
 * Appends members of a map request, with commas between: Hostinfo, and perhaps Endpoints and EndpointTypes. One line. Some of it is
 * no JSON, some of no type that a reader knows, some too long, too deep or too many; much of it is what a hub takes. sane: only what
 * any hub takes, hostile in its values.
 */
MUST_USE int hostile_hostinfo(struct rng *r, bool sane, struct buf *out);

#endif
