package io.varve.objstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.objstore.BucketReader.ObjectAttributes;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListPageTest {
    @Test
    void readsObjectsDirectoriesAndTheNextToken() {
        ListPage page = ListPage
                .parse("""
                        <?xml version="1.0" encoding="UTF-8"?>
                        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><EncodingType>url</EncodingType>
                        <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b&#x41;&#66;</NextContinuationToken>
                        <Contents><Key>a%2Fb+c%C3%BC</Key><LastModified>2026-11-21T00:38:48.017Z</LastModified><ETag>&quot;x&quot;</ETag><Size>12</Size>
                        <Owner><ID>o</ID><Key>not this</Key></Owner></Contents>
                        <Contents><Key>dir/</Key><Size>0</Size></Contents>
                        <Contents><Size>5</Size><LastModified>2026-11-21T00:38:48Z</LastModified><Key>z</Key></Contents>
                        <CommonPrefixes><Prefix>x%20y/</Prefix></CommonPrefixes></ListBucketResult>""");
        assertThat(page.objects()).containsExactly(
                new ObjectAttributes("a/b cü", 12, Instant.parse("2026-11-21T00:38:48.017Z").toEpochMilli()),
                new ObjectAttributes("z", 5, Instant.parse("2026-11-21T00:38:48Z").toEpochMilli()));
        assertThat(page.directories()).containsExactly("x y/");
        assertThat(page.next()).isEqualTo("a&bAB");
    }

    @Test
    void aLastPageHasNoNextOneAndKeysAreAsTheyAreWhereNobodyEncodedThem() {
        ListPage page = ListPage.parse("<ListBucketResult><IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
                + "<Contents><Key>a+b%2F&lt;</Key><Size>1</Size></Contents></ListBucketResult>");
        assertThat(page.next()).isNull();
        assertThat(page.objects()).containsExactly(new ObjectAttributes("a+b%2F<", 1, 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "<Error><Code>NoSuchBucket</Code></Error>", "<ListBucketResult>",
            "<ListBucketResult><Contents></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<!DOCTYPE x><ListBucketResult></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a&nbsp;</Key><Size>1</Size></Contents></ListBucketResult>", "</ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents></ListBucketResult>", "<ListBucketResult", "<"})
    void anythingElseIsRefused(String xml) {
        assertThatThrownBy(() -> ListPage.parse(xml)).isInstanceOf(IllegalArgumentException.class);
    }
}
