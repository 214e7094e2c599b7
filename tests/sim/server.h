/*
 * tests/sim/server: a machine with a public address that runs a hub, a relay or both, as warren-hub and warren-relay do:
 * TCP 80 and 443 (TLS), UDP 3478 (STUN). It can be killed and started again; the hub's store survives, sessions do not.
 */
#ifndef WARREN_TESTS_SIM_SERVER_H
#define WARREN_TESTS_SIM_SERVER_H

#include "core/coord/coord.h"
#include "core/derprelay/derprelay.h"
#include "store/mem/mem.h"
#include "tests/sim/pipe.h"

struct server;

struct server_cfg {
	const char *name; /* "hub": also its host name, with .test behind it; borrowed */
	bool hub;
	int region;                         /* of the relay; 0: no relay */
	const struct tc_derp_map *derp_map; /* what the hub tells; borrowed */
	unix_ms wall_at_zero;               /* wall time when virtual time is 0 */
};

struct server *server_new(struct vnet *v, struct vnet_dev *d, const struct server_cfg *cfg);
struct server *server_free(struct server *s);
void server_start(struct server *s);
void server_kill(struct server *s);  /* the process: its streams are reset */
void server_crash(struct server *s); /* the machine: not a word to anybody */
bool server_is_up(const struct server *s);
const char *server_host(const struct server *s); /* "hub.test" */
struct vnet_dev *server_dev(const struct server *s);
struct tailnet *server_ctl(const struct server *s); /* while it is up */
/* After the caller did something to the hub: what is due is committed and sent. */
void server_turn(struct server *s);
const struct derprelay *server_relay(const struct server *s);
size_t server_conns(const struct server *s);

#endif
