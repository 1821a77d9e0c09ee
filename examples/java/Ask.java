import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Asks a medical question in Vault CRM with nothing but the JDK: pages of a query, a record, a user action, a refusal.
 *
 * <p>Run it by {@code java Ask.java}. A program of more than an example reads the answers with a JSON library.
 */
public final class Ask {
    private static final String URL = System.getenv("CRM_URL");
    private static final String API = URL + "/api/v25.1";
    private static final String SUBMIT =
            "Objectlifecyclestateuseraction.medical_inquiry__v.saved_state__v.submit__v";

    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private String session = "";

    public static void main(String[] arguments) throws Exception {
        new Ask().run();
    }

    private void run() throws Exception {
        String answer =
                post("/auth", form(Map.of("username", System.getenv("CRM_USERNAME"),
                        "password", System.getenv("CRM_PASSWORD"))));
        session = member(answer, "sessionId").orElseThrow();

        String page =
                post("/query", form(Map.of("q", "SELECT id, name__v FROM account__v ORDER BY name__v PAGESIZE 2")));
        String account = member(page, "id").orElseThrow();
        int count = rows(page);
        for (Optional<String> next = member(page, "next_page"); next.isPresent(); next = member(page, "next_page")) {
            page = send(request(URL + next.get()).GET());
            count += rows(page);
        }
        System.out.println("accounts: " + count);

        String row = """
                [{"account__v": "%s",
                  "country__vr.country_code__v": "US",
                  "inquiry_text__v": "Is an adjustment of the dose needed in renal impairment?",
                  "delivery_method__v": "email__v",
                  "email__v": "reader@practice.example"}]""".formatted(account);
        String created = send(request(API + "/vobjects/medical_inquiry__v")
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(row)));
        String path = "/vobjects/medical_inquiry__v/" + member(created, "id").orElseThrow();
        System.out.println("inquiry: " + member(send(request(API + path).GET()), "state__v").orElseThrow());

        post(path + "/actions/" + SUBMIT, "");
        System.out.println("inquiry: " + member(send(request(API + path).GET()), "state__v").orElseThrow());

        String refused = post("/query", form(Map.of("q", "SELECT id FROM nothing__v")));
        System.out.println("refused: " + member(refused, "type").orElseThrow());
        send(request(API + "/session").DELETE());
    }

    private String post(String path, String form) throws Exception {
        return send(request(API + path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(BodyPublishers.ofString(form)));
    }

    private HttpRequest.Builder request(String address) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(address))
                .timeout(Duration.ofSeconds(30))
                .header("X-VaultAPI-ClientID", "example-java");
        return session.isEmpty() ? builder : builder.header("Authorization", session);
    }

    private String send(HttpRequest.Builder request) throws Exception {
        return client.send(request.build(), BodyHandlers.ofString()).body();
    }

    private static String form(Map<String, String> fields) {
        return fields.entrySet().stream()
                .map(field -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
    }

    /** The first text member of a name; lists of one text, as states are, too. */
    private static Optional<String> member(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\\[?\\s*\"([^\"]*)\"").matcher(json);
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
    }

    private static int rows(String page) {
        return (int) Pattern.compile("\"name__v\"\\s*:").matcher(page).results().count();
    }
}
