package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.objstore.BucketReader.ObjectAttributes;
import io.varve.testkit.Seeds;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The XML of listings. */
class S3PageTest {
    private static final String PAGE = """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" note='a > b'>
              <Name>bucket</Name><Prefix></Prefix><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>
              <NextContinuationToken>a&amp;b/+=%20</NextContinuationToken>
              <Contents><Key>a%2Fb+c%25.txt</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag>
                <Owner><ID>x</ID><DisplayName/></Owner><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents>
              <Contents><Key>&lt;&#xe9;&#8364;&apos;&gt;</Key><LastModified>2024-02-29T23:59:59Z</LastModified><Size>0</Size></Contents>
              <Contents><Key>dir/</Key><LastModified>2024-02-29T23:59:59.1Z</LastModified><Size>0</Size></Contents>
              <CommonPrefixes><Prefix>p%2F</Prefix></CommonPrefixes><CommonPrefixes ><Prefix>q/</Prefix ></CommonPrefixes>
              <EncodingType>url</EncodingType>
            </ListBucketResult>
            """;

    private static S3Page parse(String xml) throws IOException {
        return S3Page.parse(xml.getBytes(UTF_8));
    }

    @Test
    void aPageIsReadWhateverElseIsInIt() throws IOException {
        S3Page p = parse(PAGE);
        assertThat(p.objects()).containsExactly(
                new ObjectAttributes("a/b c%.txt", 12, Instant.parse("2026-01-02T03:04:05.678Z").toEpochMilli()),
                new ObjectAttributes("<é€'>", 0, Instant.parse("2024-02-29T23:59:59Z").toEpochMilli()));
        assertThat(p.directories()).containsExactly("p/", "q/");
        assertThat(p.truncated()).isTrue();
        assertThat(p.next()).isEqualTo("a&b/+=%20");
    }

    @Test
    void withoutAnEncodingKeysAreWhatTheySay() throws IOException {
        S3Page p = parse(PAGE.replace("<EncodingType>url</EncodingType>", ""));
        assertThat(p.objects()).extracting(ObjectAttributes::key).containsExactly("a%2Fb+c%25.txt", "<é€'>");
        assertThat(parse("<ListBucketResult/>").objects()).isEmpty();
        assertThat(parse("<ListBucketResult></ListBucketResult>").truncated()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "2026-12-31T23:59:59.000Z", "2026-01-02T03:04:05.6Z",
            "2026-01-02T03:04:05.67Z", "2026-01-02T03:04:05.123456789Z", "2026-01-02T05:04:05.678+02:00", "1969-12-31T23:59:59.999Z"})
    void timesAreInstants(String time) throws IOException {
        S3Page p = parse("<ListBucketResult><Contents><Key>k</Key><Size>1</Size><LastModified>" + time
                + "</LastModified></Contents></ListBucketResult>");
        assertThat(p.objects().getFirst().lastModifiedMillis()).isEqualTo(Instant.parse(time).toEpochMilli());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "<", "{}", "<Error><Code>AccessDenied</Code></Error>", "<!DOCTYPE x><ListBucketResult/>",
            "<ListBucketResult><!-- c --></ListBucketResult>", "<ListBucketResult><Contents></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>k</Key><Size>x</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>&nbsp;</Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>&#xFFFFFFF;</Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key><![CDATA[k]]></Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><LastModified>soon</LastModified></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%</Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>perhaps</IsTruncated></ListBucketResult>", "<ListBucketResult><a></b></ListBucketResult>",
            "<ListBucketResult><CommonPrefixes/></ListBucketResult>", "<s3:ListBucketResult></s3:ListBucketResult>"})
    void whatIsNoListingIsSaid(String xml) {
        assertThatThrownBy(() -> parse(xml)).isInstanceOf(IOException.class);
    }

    @Test
    void whatIsCutOffIsNotTaken() {
        byte[] all = PAGE.strip().getBytes(UTF_8);
        for (int n = 0; n < all.length; n++) {
            byte[] part = java.util.Arrays.copyOf(all, n);
            assertThatThrownBy(() -> S3Page.parse(part)).as("%d bytes", n).isInstanceOf(IOException.class);
        }
    }

    @Test
    void damageEndsInAListingOrAnError() {
        Seeds.forEach(2000, random -> {
            byte[] xml = PAGE.getBytes(UTF_8);
            for (int i = random.nextInt(4); i >= 0; i--) {
                xml[random.nextInt(xml.length)] = (byte) random.nextInt(256);
            }
            org.junit.jupiter.api.Assertions.assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
                try {
                    List<ObjectAttributes> objects = S3Page.parse(xml).objects();
                    assertThat(objects).hasSizeLessThanOrEqualTo(3);
                } catch (IOException e) {
                    assertThat(e).hasMessageStartingWith("listing: ");
                }
            });
        });
    }
}
