/*
 * proto/names: names of machines and of DNS, by the rules that every part of the system has to share: what a host name
 * becomes as a DNS label, which names are accepted, and how versions compare. Names are bytes; only ASCII has case here,
 * and comparison respects it.
 */
#ifndef WARREN_PROTO_NAMES_NAMES_H
#define WARREN_PROTO_NAMES_NAMES_H

#include "base/bytes/bytes.h"

enum {
	NAME_LABEL_MAX = 63,
	NAME_FQDN_MAX = 254, /* with the dot at its end */
};

/*
 * A DNS label made of any text: letters in lower case, digits, and '-' for the usual separators; all else is dropped.
 * May be empty. out has room for NAME_LABEL_MAX + 1.
 */
void name_sanitize_label(struct view in, char *out);
/* The same without a ".local", ".localdomain" or ".lan" that the system put at the end. */
void name_sanitize_hostname(struct view in, char *out);
struct view name_trim_common_suffixes(struct view in);

bool name_is_label(struct view in);
bool name_is_hostname(struct view in);

struct view name_first_label(struct view in);
size_t name_num_labels(struct view fqdn);
struct view name_parent(struct view fqdn); /* "" of a name with one label */
struct view name_without_dot(struct view fqdn);

/*
 * The name with one dot at its end; a dot before it is dropped. Of the labels only length is judged, and not that of the
 * last. -ERR_BAD_FORMAT, -ERR_TOO_BIG. out has room for NAME_FQDN_MAX + 1.
 */
MUST_USE int name_to_fqdn(struct view in, char *out);

/* Is other the name fqdn or below it? Both end in a dot. */
bool name_contains(struct view fqdn, struct view other);
/* Is name strictly below suffix? A dot at either end of the suffix and at the end of the name counts for nothing. */
bool name_has_suffix(struct view name, struct view suffix);
/* What stands before the suffix; without it, the name less its last dot. */
struct view name_trim_suffix(struct view name, struct view suffix);

/* Versions: runs of digits compare as numbers, what is between them as bytes. Negative, 0, positive. */
int names_version_cmp(struct view a, struct view b);

#endif
