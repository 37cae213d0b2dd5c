// What shipping costs with each service, and which one to take.
#ifndef RATE_H
#define RATE_H

#include "json.h"

#define PROBLEM_BYTES 160

// Why an input is refused.
struct problem {
  char text[PROBLEM_BYTES];
};

// Writes the output for an input of `choose`; false with a problem where the input is wrong.
bool rate_choose(struct json input, struct json_out *out, struct problem *problem);

#endif
