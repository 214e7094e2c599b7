/*
 * hub/auth/rights: what a person may do here, as bits of principal.rights, and which of them a role has. The tables of admin/, web/
 * and console/ name them; the router compares. The roles are those of Tailscale ("User roles" in its documents); of what one of
 * them may do there, this is what there is here.
 */
#ifndef WARREN_HUB_AUTH_RIGHTS_H
#define WARREN_HUB_AUTH_RIGHTS_H

#include <stddef.h>
#include <stdint.h>

enum right {
	RIGHT_SESSION = 1,  /* is logged in, and no more: a member */
	RIGHT_SEE = 2,      /* devices, users, keys without their secrets, routes, names, policy */
	RIGHT_LOG = 4,      /* who changed what; API tokens without their secrets */
	RIGHT_DEVICES = 8,  /* devices and auth keys */
	RIGHT_USERS = 16,   /* users and their roles */
	RIGHT_NETWORK = 32, /* routes and names */
	RIGHT_POLICY = 64,
	RIGHT_TOKENS = 128,  /* of programs that use the API */
	RIGHT_OWNER = 256,   /* hands the ownership over */
	RIGHT_MACHINE = 512, /* is root on the hub's machine: no role has it */
};
#define RIGHTS_ALL ((uint64_t)1023)
enum { RIGHTS_N = 10 };

/* NULL, "" and what is no role: a member's. */
uint64_t rights_of_role(const char *role);
/* "see", "devices": for people and the console. How many there are. */
size_t rights_names(uint64_t rights, const char *ret[static RIGHTS_N]);

#endif
