/*
 * proto/derpframe/admit: the question of a relay whether a key may log in, and the answer: JSON over HTTP, as derper's
 * --verify-client-url asks it (tailcfg.DERPAdmitClientRequest and -Response).
 */
#ifndef WARREN_PROTO_DERPFRAME_ADMIT_H
#define WARREN_PROTO_DERPFRAME_ADMIT_H

#include "proto/json/json.h"

enum { DERP_ADMIT_MAX = 4096 }; /* bytes of either document */

struct derp_admit_request {
	struct node_pub key;
	struct ipaddr source; /* of the client */
};
struct derp_admit_response {
	bool allow;
};
extern const struct json_type derp_admit_request_type, derp_admit_response_type;

#endif
