// Before changing a rule here write an ADR in docs/adr: the layering is what keeps one process replaceable by Thanos'.
package io.varve.it;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Who may use whom, in one place; the POMs say the same and the dependency analysis enforces them. */
final class LayeringTest {
    private static final JavaClasses CLASSES = new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.varve");

    @Test
    void layersLookDownwardsOnly() {
        layeredArchitecture().consideringOnlyDependenciesInAnyPackage("io.varve..").withOptionalLayers(true)
                .layer("model").definedBy("io.varve.model..")
                .layer("proto").definedBy("io.varve.proto..")
                .layer("chunk").definedBy("io.varve.chunk..")
                .layer("tsdb").definedBy("io.varve.tsdb..")
                .layer("objstore").definedBy("io.varve.objstore..")
                .layer("promql").definedBy("io.varve.promql..")
                .layer("runtime").definedBy("io.varve.runtime..")
                .layer("block").definedBy("io.varve.block..")
                .layer("store").definedBy("io.varve.store..")
                .layer("processes").definedBy("io.varve.sidecar..", "io.varve.storegateway..", "io.varve.querier..", "io.varve.compactor..",
                        "io.varve.tools..", "io.varve.demo..")
                .layer("dist").definedBy("io.varve.dist..", "io.varve.benchmarks..")
                .whereLayer("model").mayNotAccessAnyLayer()
                .whereLayer("proto").mayNotAccessAnyLayer()
                .whereLayer("chunk").mayOnlyAccessLayers("model")
                .whereLayer("tsdb").mayOnlyAccessLayers("model", "chunk")
                .whereLayer("objstore").mayOnlyAccessLayers("model")
                .whereLayer("promql").mayOnlyAccessLayers("model")
                .whereLayer("runtime").mayOnlyAccessLayers("model")
                .whereLayer("block").mayOnlyAccessLayers("model", "tsdb", "objstore", "chunk")
                .whereLayer("store").mayOnlyAccessLayers("model", "chunk", "proto")
                .whereLayer("processes").mayOnlyBeAccessedByLayers("dist")
                .check(CLASSES);
    }

    @Test
    void processesDoNotKnowEachOther() {
        String[] processes = {"sidecar", "storegateway", "querier", "compactor", "tools", "demo"};
        for (String one : processes) {
            for (String other : processes) {
                if (!one.equals(other)) {
                    noClasses().that().resideInAPackage("io.varve." + one + "..").should().dependOnClassesThat()
                            .resideInAPackage("io.varve." + other + "..").allowEmptyShould(true).check(CLASSES);
                }
            }
        }
    }

    @Test
    void generatedTypesStayInStore() {
        noClasses().that().resideOutsideOfPackages("io.varve.store..", "io.varve.proto..").should().dependOnClassesThat()
                .resideInAPackage("io.varve.proto..").check(CLASSES);
    }
}
