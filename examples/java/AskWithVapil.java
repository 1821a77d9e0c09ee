import com.veeva.vault.vapil.api.client.VaultClient;
import com.veeva.vault.vapil.api.client.VaultClient.AuthenticationType;
import com.veeva.vault.vapil.api.model.response.ObjectRecordBulkResponse;
import com.veeva.vault.vapil.api.model.response.ObjectRecordResponse;
import com.veeva.vault.vapil.api.model.response.QueryResponse;
import com.veeva.vault.vapil.api.request.AuthenticationRequest;
import com.veeva.vault.vapil.api.request.ObjectLifecycleWorkflowRequest;
import com.veeva.vault.vapil.api.request.ObjectRecordRequest;
import com.veeva.vault.vapil.api.request.QueryRequest;
import java.net.URI;

/**
 * Asks a medical question in Vault CRM with the vendor's Java library: pages of a query, a record, a user action, a
 * refusal.
 *
 * <p>The library speaks HTTPS only; the system property {@code javax.net.ssl.trustStore} names who signed the Vault's
 * certificate.
 */
public final class AskWithVapil {
    private static final String OBJECT = "medical_inquiry__v";
    private static final String SUBMIT =
            "Objectlifecyclestateuseraction.medical_inquiry__v.saved_state__v.submit__v";

    private final VaultClient client;

    private AskWithVapil(VaultClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) {
        VaultClient client = VaultClient.newClientBuilder(AuthenticationType.BASIC)
                .withVaultDNS(URI.create(System.getenv("CRM_HTTPS_URL")).getAuthority())
                .withVaultUsername(System.getenv("CRM_USERNAME"))
                .withVaultPassword(System.getenv("CRM_PASSWORD"))
                .withVaultClientId("example-vapil")
                .build();
        new AskWithVapil(client).run();
    }

    private void run() {
        QueryRequest queries = client.newRequest(QueryRequest.class);
        QueryResponse page = queries.query("SELECT id, name__v FROM account__v ORDER BY name__v PAGESIZE 2");
        String account = page.getData().get(0).getString("id");
        int count = page.getData().size();
        while (page.isPaginated() && page.getResponseDetails().hasNextPage()) {
            page = queries.queryByPage(page.getResponseDetails().getNextPage());
            count += page.getData().size();
        }
        System.out.println("accounts: " + count);

        String row = """
                [{"account__v": "%s",
                  "country__vr.country_code__v": "US",
                  "inquiry_text__v": "Is an adjustment of the dose needed in renal impairment?",
                  "delivery_method__v": "email__v",
                  "email__v": "reader@practice.example"}]""".formatted(account);
        ObjectRecordBulkResponse created = client.newRequest(ObjectRecordRequest.class)
                .setContentTypeJson()
                .setRequestString(row)
                .createObjectRecords(OBJECT);
        String inquiry = created.getData().get(0).getData().getId();
        System.out.println("inquiry: " + state(inquiry));

        client.newRequest(ObjectLifecycleWorkflowRequest.class)
                .initiateObjectActionOnASingleRecord(OBJECT, inquiry, SUBMIT);
        System.out.println("inquiry: " + state(inquiry));

        QueryResponse refused = queries.query("SELECT id FROM nothing__v");
        System.out.println("refused: " + refused.getErrors().get(0).getType());
        client.newRequest(AuthenticationRequest.class).endSession();
    }

    private Object state(String inquiry) {
        ObjectRecordResponse record = client.newRequest(ObjectRecordRequest.class).retrieveObjectRecord(OBJECT, inquiry);
        return record.getData().get("state__v");
    }
}
