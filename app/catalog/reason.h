/* The sentence that says why a title is recommended. Private to app/catalog. */
#ifndef CATALOG_REASON_H
#define CATALOG_REASON_H

#include "base/str.h"
#include "catalog/catalog.h"
#include "catalog/fit.h"
#include "catalog/pick.h"
#include "catalog/recommend.h"
#include "catalog/taste.h"

/* Built from the terms that decided: a term is named when it moved the score by 5 % or more against
 * a title it says nothing about. `mean_quality` is that of the kind. */
void reason_write(const struct catalog *c, const struct recommend_query *q, const struct fit *fit,
                  const struct taste *taste, const struct candidate *chosen,
                  const struct title *title, struct str *out);

#endif
