/* core/policy/posture: does a device fulfil a posture? */
#ifndef WARREN_CORE_POLICY_POSTURE_H
#define WARREN_CORE_POLICY_POSTURE_H

#include "core/policy/doc.h"

bool posture_holds(const struct posture *p, const struct policy_attr *attrs, size_t n);

#endif
