// Asks a medical question in Vault CRM with the fetch of Node.js: pages of a query, a record, a user action, a refusal.

interface Answer<Data> {
  responseStatus: "SUCCESS" | "WARNING" | "FAILURE" | "EXCEPTION";
  sessionId?: string;
  data: Data;
  responseDetails?: { next_page?: string };
  errors?: { type: string; message: string }[];
}
interface Account {
  id: string;
  name__v: string;
}
interface Written {
  responseStatus: string;
  data: { id: string };
}
interface Inquiry {
  id: string;
  state__v: string;
}

class VaultError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const URL_OF_CRM = setting("CRM_URL");
const API = `${URL_OF_CRM}/api/v25.1`;
const SUBMIT = "Objectlifecyclestateuseraction.medical_inquiry__v.saved_state__v.submit__v";
const headers: Record<string, string> = { "X-VaultAPI-ClientID": "example-typescript" };

/** The body of an answer; a Vault says in it whether the call succeeded, with HTTP status 200 for both. */
async function call<Data>(address: string, options: RequestInit = {}): Promise<Answer<Data>> {
  const response = await fetch(address, {
    ...options,
    headers: { ...headers, ...(options.headers as Record<string, string>) },
    signal: AbortSignal.timeout(30_000),
  });
  const answer = (await response.json()) as Answer<Data>;
  const error = answer.errors?.[0];
  if (answer.responseStatus === "FAILURE" && error !== undefined) throw new VaultError(error.type, error.message);
  return answer;
}

const form = (fields: Record<string, string>): RequestInit => ({
  method: "POST",
  body: new URLSearchParams(fields),
});

async function accounts(): Promise<Account[]> {
  const statement = "SELECT id, name__v FROM account__v ORDER BY name__v PAGESIZE 2";
  let page = await call<Account[]>(`${API}/query`, form({ q: statement }));
  const rows = [...page.data];
  while (page.responseDetails?.next_page) {
    page = await call<Account[]>(`${URL_OF_CRM}${page.responseDetails.next_page}`);
    rows.push(...page.data);
  }
  return rows;
}

async function main(): Promise<void> {
  const credentials = { username: setting("CRM_USERNAME"), password: setting("CRM_PASSWORD") };
  const signedIn = await call<never>(`${API}/auth`, form(credentials));
  headers["Authorization"] = signedIn.sessionId ?? "";

  const found = await accounts();
  console.log(`accounts: ${found.length}`);

  const inquiry = {
    account__v: found[0]?.id,
    "country__vr.country_code__v": "US",
    inquiry_text__v: "Is an adjustment of the dose needed in renal impairment?",
    delivery_method__v: "email__v",
    email__v: "reader@practice.example",
  };
  const inquiries = `${API}/vobjects/medical_inquiry__v`;
  const created = await call<Written[]>(inquiries, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify([inquiry]),
  });
  const address = `${inquiries}/${created.data[0]?.data.id}`;
  console.log(`inquiry: ${(await call<Inquiry>(address)).data.state__v}`);

  await call<never>(`${address}/actions/${SUBMIT}`, { method: "POST" });
  console.log(`inquiry: ${(await call<Inquiry>(address)).data.state__v}`);

  try {
    await call<never>(`${API}/query`, form({ q: "SELECT id FROM nothing__v" }));
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    console.log(`refused: ${error.type}`);
  }
  await call<never>(`${API}/session`, { method: "DELETE" });
}

await main();
