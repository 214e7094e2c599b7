/*
 * hub/headscale: an installation of headscale (0.28 and newer, SQLite) becomes the state directory of a hub: users, devices with their keys,
 * names and addresses, auth keys, approved routes, policy, DNS settings, and the hub's own keys. Its devices do not notice but for a
 * reconnect. For the command; headscale's files are read only.
 *
 * The forms are headscale's: its config.yaml, the tables users, nodes, pre_auth_keys, policies and api_keys of its database, and key files
 * "privkey:...".
 */
#ifndef WARREN_HUB_HEADSCALE_HEADSCALE_H
#define WARREN_HUB_HEADSCALE_HEADSCALE_H

#include "base/arena/arena.h"
#include "base/err/err.h"
#include "base/time/time.h"
#include "proto/json/json.h"

struct headscale_job {
	const char *config; /* headscale's config.yaml */
	const char *
		state_dir; /* of the hub: must not have one. NULL: all is done in a directory that is removed at the end */
	const char *policy; /* a file instead of headscale's policy; NULL: headscale's */
	const char *owner;  /* this user is the owner; NULL: nobody is yet */
	unix_ms now;
};

struct headscale_result {
	int64_t users, devices, keys;
	struct json_list
		settings;         /* const char *: "NAME=VALUE", for the hub's configuration file */
	struct json_list differs; /* const char *: sentences about what is another thing now */
	struct json_list lost;    /* const char *: what could not be taken over, and what to do */
};

/* -EEXIST: there is a hub. at says what is wrong, and what to do; nothing is left of what was begun. Texts of *ret are in the arena. */
MUST_USE int headscale_import(const struct headscale_job *job, struct arena *mem,
	struct headscale_result *ret, struct err_at *at);

#endif
