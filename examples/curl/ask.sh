#!/bin/sh
# Asks a medical question in Vault CRM with curl: pages of a query, a record, a user action, a refusal.
# python3 reads the answers.
set -eu

api="$CRM_URL/api/v25.1"
submit=Objectlifecyclestateuseraction.medical_inquiry__v.saved_state__v.submit__v

pick() { # the member of the JSON on standard input that the arguments lead to, or nothing
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
print("" if value is None else value)' "$@"
}
rows() { python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))'; }

session=$(curl -sS "$api/auth" --data-urlencode "username=$CRM_USERNAME" --data-urlencode "password=$CRM_PASSWORD" |
  pick sessionId)
vault() { curl -sS -H "Authorization: $session" -H "X-VaultAPI-ClientID: example-curl" "$@"; }

page=$(vault "$api/query" --data-urlencode "q=SELECT id, name__v FROM account__v ORDER BY name__v PAGESIZE 2")
account=$(printf '%s' "$page" | pick data 0 id)
count=$(printf '%s' "$page" | rows)
next=$(printf '%s' "$page" | pick responseDetails next_page)
while [ -n "$next" ]; do
  page=$(vault "$CRM_URL$next")
  count=$((count + $(printf '%s' "$page" | rows)))
  next=$(printf '%s' "$page" | pick responseDetails next_page)
done
echo "accounts: $count"

inquiry=$(vault "$api/vobjects/medical_inquiry__v" -H "Content-Type: application/json" -d '[{
  "account__v": "'"$account"'",
  "country__vr.country_code__v": "US",
  "inquiry_text__v": "Is an adjustment of the dose needed in renal impairment?",
  "delivery_method__v": "email__v",
  "email__v": "reader@practice.example"
}]' | pick data 0 data id)
address="$api/vobjects/medical_inquiry__v/$inquiry"
echo "inquiry: $(vault "$address" | pick data state__v)"

vault -X POST "$address/actions/$submit" >/dev/null
echo "inquiry: $(vault "$address" | pick data state__v)"

echo "refused: $(vault "$api/query" --data-urlencode "q=SELECT id FROM nothing__v" | pick errors 0 type)"
vault -X DELETE "$api/session" >/dev/null
