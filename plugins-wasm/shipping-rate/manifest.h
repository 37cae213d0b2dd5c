// What the plugin says about itself: JSON, as `cartwright plugin check` shows it.
#define WHOLE(MAX) "{\"type\":\"integer\",\"minimum\":1,\"maximum\":" MAX "}"
#define TEXT(MAX) "{\"type\":\"string\",\"minLength\":1,\"maxLength\":" MAX "}"
#define AMOUNT "{\"type\":\"string\",\"pattern\":\"^[0-9]{1,12}(\\\\.[0-9]{1,3})?$\"}"
#define LIST_OF(ITEM, MAX) "{\"type\":\"array\",\"maxItems\":" MAX ",\"items\":" ITEM "}"

#define PARCEL \
  "{\"type\":\"object\",\"required\":[\"grams\"],\"additionalProperties\":false,\"properties\":{" \
  "\"grams\":" WHOLE("10000000") ",\"length_mm\":" WHOLE("20000") ",\"width_mm\":" WHOLE("20000") \
  ",\"height_mm\":" WHOLE("20000") ",\"quantity\":" WHOLE("1000") "}}"
#define BRACKET \
  "{\"type\":\"object\",\"required\":[\"to_grams\",\"price\"],\"additionalProperties\":false,\"properties\":{" \
  "\"to_grams\":" WHOLE("10000000") ",\"price\":" AMOUNT "}}"
#define ZONE \
  "{\"type\":\"object\",\"required\":[\"countries\",\"days\",\"brackets\"],\"additionalProperties\":false,\"properties\":{" \
  "\"name\":" TEXT("40") ",\"countries\":" LIST_OF(TEXT("2"), "300") ",\"postcodes\":" LIST_OF(TEXT("10"), "1000") \
  ",\"days\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":365},\"free_from\":" AMOUNT \
  ",\"brackets\":" LIST_OF(BRACKET, "100") "}}"
#define SERVICE \
  "{\"type\":\"object\",\"required\":[\"id\",\"zones\"],\"additionalProperties\":false,\"properties\":{" \
  "\"id\":" TEXT("40") ",\"divisor\":" WHOLE("100000") ",\"max_grams\":" WHOLE("10000000") \
  ",\"max_side_mm\":" WHOLE("20000") ",\"zones\":" LIST_OF(ZONE, "100") "}}"
#define OPTION \
  "{\"type\":\"object\",\"required\":[\"service\",\"zone\",\"days\",\"price\",\"billed_grams\"],\"properties\":{" \
  "\"service\":{\"type\":\"string\"},\"zone\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"}," \
  "\"price\":{\"type\":\"string\"},\"billed_grams\":{\"type\":\"integer\"}}}"
#define REFUSED \
  "{\"type\":\"object\",\"required\":[\"service\",\"why\"],\"properties\":{\"service\":{\"type\":\"string\"},\"why\":{\"type\":\"string\"}}}"

#define MANIFEST \
  "{\"name\":\"shipping-rate\",\"version\":\"0.1.0\",\"description\":\"Chooses how parcels are sent: cheapest or fastest, within what was promised\"," \
  "\"functions\":{\"choose\":{\"description\":\"Prices every service for an order's parcels and chooses one\"," \
  "\"input\":{\"type\":\"object\",\"required\":[\"destination\",\"parcels\",\"services\"],\"additionalProperties\":false,\"properties\":{" \
  "\"destination\":{\"type\":\"object\",\"required\":[\"country\"],\"properties\":{\"country\":" TEXT("2") ",\"postcode\":{\"type\":\"string\",\"maxLength\":10}}}," \
  "\"parcels\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":" PARCEL "}," \
  "\"services\":" LIST_OF(SERVICE, "50") "," \
  "\"promise_days\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":365},\"prefer\":{\"enum\":[\"cheapest\",\"fastest\"]}," \
  "\"subtotal\":" AMOUNT ",\"decimals\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":3}}}," \
  "\"output\":{\"type\":\"object\",\"required\":[\"chosen\",\"options\",\"refused\"],\"properties\":{" \
  "\"chosen\":{\"anyOf\":[{\"type\":\"null\"}," OPTION "]},\"options\":{\"type\":\"array\",\"items\":" OPTION "}," \
  "\"refused\":{\"type\":\"array\",\"items\":" REFUSED "}}}}},\"needs\":{}}"
